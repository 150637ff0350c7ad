"""Elements from other places: by a table that is the same for all samples, or by indices in the data.

Forward writes, backward adds.
"""

from dseq.kernels.base import kernel


@kernel
def gather_forward(y, x, index, length, fill):
    # y (rows, runs * length), x (rows, f), index (runs,): where a run begins in x, or -1 for the value fill (1,)
    value = fill[0]
    for r in range(y.shape[0]):
        row, source = y[r], x[r]
        if length == 1:
            for k in range(index.size):
                start = index[k]
                row[k] = source[start] if start >= 0 else value
        else:
            for k in range(index.size):
                start = index[k]
                run = row[k * length : (k + 1) * length]
                if start >= 0:
                    part = source[start : start + length]
                    for i in range(length):
                        run[i] = part[i]
                else:
                    for i in range(length):
                        run[i] = value


@kernel
def gather_backward(dx, dy, index, length):
    # dx (rows, f), dy (rows, runs * length), index (runs,)
    for r in range(dy.shape[0]):
        row, source = dx[r], dy[r]
        if length == 1:
            for k in range(index.size):
                start = index[k]
                if start >= 0:
                    row[start] += source[k]
        else:
            for k in range(index.size):
                start = index[k]
                if start >= 0:
                    run = source[k * length : (k + 1) * length]
                    part = row[start : start + length]
                    for i in range(length):
                        part[i] += run[i]


@kernel
def lookup_forward(y, table, index, fill):
    # y (n, inner), table (k, inner), index (n,) of integers; -1 is the last; fill (1,) for places that do not exist
    k, value = table.shape[0], fill[0]
    for r in range(index.size):
        place = int(index[r])
        place = place + k if place < 0 else place
        row = y[r]
        if 0 <= place < k:
            source = table[place]
            for j in range(row.size):
                row[j] = source[j]
        else:
            for j in range(row.size):
                row[j] = value


@kernel
def lookup_backward(dtable, dy, index):
    # dtable (k, inner), dy (n, inner), index (n,)
    k = dtable.shape[0]
    for r in range(index.size):
        place = int(index[r])
        place = place + k if place < 0 else place
        if 0 <= place < k:
            to, row = dtable[place], dy[r]
            for j in range(row.size):
                to[j] += row[j]


@kernel
def along_forward(y, x, index, fill):
    # y, index (outer, m, inner), x (outer, k, inner): y[r, i, j] = x[r, index[r, i, j], j]
    k, value = x.shape[1], fill[0]
    for r in range(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                place = int(index[r, i, j])
                place = place + k if place < 0 else place
                y[r, i, j] = x[r, place, j] if 0 <= place < k else value


@kernel
def along_backward(dx, dy, index):
    # dx (outer, k, inner), dy, index (outer, m, inner)
    k = dx.shape[1]
    for r in range(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                place = int(index[r, i, j])
                place = place + k if place < 0 else place
                if 0 <= place < k:
                    dx[r, place, j] += dy[r, i, j]


@kernel
def within_forward(y, x, index, fill):
    # y (rows, m, inner), x (rows, k, inner), index (rows, m): each row's own indices into its own vectors
    k, value = x.shape[1], fill[0]
    for r in range(y.shape[0]):
        for i in range(y.shape[1]):
            place = int(index[r, i])
            place = place + k if place < 0 else place
            row = y[r, i]
            if 0 <= place < k:
                source = x[r, place]
                for j in range(row.size):
                    row[j] = source[j]
            else:
                for j in range(row.size):
                    row[j] = value


@kernel
def within_backward(dx, dy, index):
    # dx (rows, k, inner), dy (rows, m, inner), index (rows, m)
    k = dx.shape[1]
    for r in range(dy.shape[0]):
        for i in range(dy.shape[1]):
            place = int(index[r, i])
            place = place + k if place < 0 else place
            if 0 <= place < k:
                to, row = dx[r, place], dy[r, i]
                for j in range(row.size):
                    to[j] += row[j]


@kernel
def order_forward(y, x, descending):
    # y (rows, m) of integers, x (rows, k) with m <= k: the places of the first m in order
    # of equal ones the first comes first, NaN last
    k = x.shape[1]
    for r in range(x.shape[0]):
        row, places = x[r], y[r]
        count = 0
        for i in range(k):
            # Insertion into the sorted beginning: m is small, or the row is.
            value = row[i]
            at = count
            while at > 0:
                other = row[places[at - 1]]
                if descending != 0:
                    before = value > other or (other != other and value == value)
                else:
                    before = value < other or (other != other and value == value)
                if not before:
                    break
                at -= 1
            if at < places.size:
                last = min(count, places.size - 1)
                for t in range(last, at, -1):
                    places[t] = places[t - 1]
                places[at] = i
                count = min(count + 1, places.size)


@kernel
def one_hot_forward(y, x):
    # y (n, classes), x (n,): 1 at the class, nothing where there is no such class
    for r in range(y.shape[0]):
        row = y[r]
        for j in range(row.size):
            row[j] = 0
        place = int(x[r])
        if 0 <= place < row.size:
            row[place] = 1


@kernel
def same_rows(y, x):
    # y (n, m), x (m,)
    for r in range(y.shape[0]):
        row = y[r]
        for j in range(row.size):
            row[j] = x[j]
