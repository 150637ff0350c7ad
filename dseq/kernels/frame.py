"""The margins of images that convolutions read."""

from dseq.kernels.base import kernel


@kernel
def zero_frame(y, before_d, before_h, before_w, d, h, w):
    # y (d', h', w', c), one image: zeros but for its middle of d x h x w pixels, which is left alone
    c = y.shape[3]
    for z in range(y.shape[0]):
        for r in range(y.shape[1]):
            row = y[z, r].reshape(y.shape[2] * c)
            first, last = 0, 0
            if before_d <= z < before_d + d and before_h <= r < before_h + h:
                first, last = before_w * c, (before_w + w) * c
            left, right = row[:first], row[last:]
            for j in range(left.size):
                left[j] = 0
            for j in range(right.size):
                right[j] = 0
