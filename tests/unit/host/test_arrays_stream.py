import io

import numpy as np

from utils.host.arrays_stream import read_arrays, write_arrays


def test_arrays_are_read_in_the_order_written():
    sent = [
        {"b": np.arange(6, dtype=np.int64).reshape(2, 3), "a": np.array([0.5], np.float32)},
        {"c": np.zeros((0, 2))},
    ]
    stream = io.BytesIO()
    for arrays in sent:
        write_arrays(stream, arrays)
    stream.seek(0)
    for arrays in sent:
        read = read_arrays(stream)
        assert list(read) == list(arrays)
        assert all(read[name].dtype == array.dtype and (read[name] == array).all() for name, array in arrays.items())
    assert read_arrays(stream) == {}
