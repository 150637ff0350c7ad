"""Floor 1: a model's step as data. Plans name kernels and blocks of memory; steps run them."""
