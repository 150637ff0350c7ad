"""How ranks work together: who takes which samples, how gradients are summed, how a failure ends the job."""
