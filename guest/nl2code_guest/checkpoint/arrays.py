"""numpy arrays: their memory stays out of the stream, their flags and order are kept, and views stay views.

A view is written as a view when that is cheap: it covers half of its owner's memory, or the owner is small. A small
view of a large array is written alone; should something else in the same pickle reach that memory, `shared_owners` says
so and the pickle is made again. Arrays inside pandas objects never take part: pandas decides by its own bookkeeping
whether a write may go through, and that bookkeeping does not survive.
"""

from __future__ import annotations

import itertools
import pickle
import sys
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, module_of

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

#: An owner this small is written with any view of it.
_SMALL_OWNER_BYTES = 64 << 10
#: Fewer strings are not worth packing.
_MIN_PACKED = 64


def handlers() -> tuple[dict[type, Handler], dict[type, Handler]]:
    """The handlers of exact types and of families, for numpy."""
    return {_numpy().ndarray: reduce_array}, {_numpy().ndarray: reduce_derived_array}


def detached(pickling: Pickling, array: Any) -> Any:
    """Another array over the same memory, written as if the memory were its own."""
    view = array.view()
    pickling.detached[id(view)] = view
    return view


def reduce_array(pickling: Pickling, array: Any) -> Any:
    """A view of what owns its memory, or the memory itself."""
    if id(array) not in pickling.detached:
        owner = _owner_of(array)
        if owner is not None:
            pickling.views.setdefault(id(owner), []).append((owner, array))
            if id(owner) in pickling.shared or _is_cheap(array, owner):
                reduced = _as_view(array, owner)
                if reduced is not None:
                    return reduced
    return _as_memory(array)


def reduce_derived_array(_pickling: Pickling, array: Any) -> Any:
    """As numpy does it; of an object of a cell's class the attributes too, which numpy leaves behind."""
    kind_of = type(array)
    attributes = getattr(array, "__dict__", None)
    if module_of(kind_of) != MAIN or kind_of.__reduce__ is not _numpy().ndarray.__reduce__ or not attributes:
        return NotImplemented
    make, arguments, state = array.__reduce__()
    return make, arguments, (state, attributes), None, None, set_derived_array


def set_derived_array(array: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Elements and attributes."""
    array.__setstate__(state[0])
    array.__dict__.update(state[1])


def shared_owners(pickling: Pickling) -> set[int]:
    """Ids of owners whose memory this pickle holds more than once."""
    written = pickling.written()
    found: set[int] = set()
    for at, views in pickling.views.items():
        if at in pickling.shared:
            continue
        spans = sorted({id(view): _span(view) for _, view in views}.values())
        if at in written or any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
            found.add(at)
    return found


def make_view(owner: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
    """An array over another one's memory."""
    numpy = _numpy()
    memory = owner if isinstance(owner, bytearray) else _memory_of(owner)
    view = numpy.ndarray(shape, dtype, buffer=memory, offset=offset, strides=strides)
    if not writeable:
        view.flags.writeable = False
    return view


def make_array(memory: Any, dtype: Any, shape: Any, axes: tuple[int, ...] | None, writeable: bool) -> Any:
    """An array over memory of its own; `axes` puts the dimensions of memory in C order into the array's order."""
    numpy = _numpy()
    array = numpy.ndarray(shape, dtype, buffer=memory)
    if axes is not None:
        array = array.transpose(axes)
    if not writeable:
        array.flags.writeable = False
    return array


def make_strings(
    packed: Any, missing: Any, values: tuple[Any, ...], shape: Any, order: str, writeable: bool, repeated: bool
) -> Any:
    """An object array of strings. Equal strings are one object again where many were."""
    numpy = _numpy()
    parts: list[Any] = bytes(packed).decode("utf-8", "surrogatepass").split("\0")
    if repeated:
        seen: dict[str, str] = {}
        parts = [seen.setdefault(part, part) for part in parts]
    array = numpy.empty(len(parts), dtype=object)
    array[:] = parts
    if missing is not None:
        places, which = missing
        for at, value in enumerate(values):
            array[places[which == at]] = value
    array = array.reshape(shape, order=order)
    if not writeable:
        array.flags.writeable = False
    return array


def set_object_array(array: Any, state: tuple[Any, bool]) -> None:
    """The elements of an array of objects, and whether they may be replaced."""
    array.__setstate__(state[0])
    array.flags.writeable = state[1]


def _numpy() -> Any:
    return sys.modules["numpy"]


def _owner_of(array: Any) -> Any:
    """The array or bytearray whose memory this one looks at; None when it has its own or it can't be known."""
    ndarray = _numpy().ndarray
    owner = array
    while type(owner.base) is ndarray:
        owner = owner.base
    if owner is not array:
        return owner
    base = owner.base.obj if type(owner.base) is memoryview else owner.base
    return base if type(base) is bytearray else None


def _is_cheap(array: Any, owner: Any) -> bool:
    if isinstance(owner, bytearray):
        return False
    return bool(owner.nbytes <= _SMALL_OWNER_BYTES or array.nbytes * 2 >= owner.nbytes)


def _as_view(array: Any, owner: Any) -> Any:
    """How to write a view, or None where numpy has no way to make one."""
    memory = _numpy().frombuffer(owner, "u1") if isinstance(owner, bytearray) else _memory_of(owner)
    if memory is None or array.dtype.char == "T" or (array.flags.writeable and not memory.flags.writeable):
        return None
    if array.dtype.hasobject and array.dtype != memory.dtype:
        return None
    offset = _address(array) - _address(memory)
    start, end = _span(array)
    if not _address(memory) <= start <= end <= _address(memory) + memory.nbytes:
        return None
    return make_view, (owner, offset, array.shape, array.strides, array.dtype, array.flags.writeable)


def _memory_of(array: Any) -> Any:
    """The same memory with its dimensions in C order; None when it has holes."""
    if array.flags.c_contiguous:
        return array
    memory = array.transpose(_c_order(array))
    return memory if memory.flags.c_contiguous else None


def _c_order(array: Any) -> list[int]:
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _as_memory(array: Any) -> Any:
    if array.dtype.hasobject or array.dtype.char == "T":
        return _as_objects(array)
    flags = array.flags
    axes = None
    memory = array
    if not flags.c_contiguous:
        order = _c_order(array)
        memory = array.transpose(order)
        if not memory.flags.c_contiguous:
            memory = _numpy().ascontiguousarray(memory)
        axes = tuple(order.index(axis) for axis in range(array.ndim))
    return make_array, (_exported(memory, array), array.dtype, memory.shape, axes, flags.writeable)


def _exported(memory: Any, array: Any) -> pickle.PickleBuffer:
    """The memory as a buffer; a writable one if the array could be made writable again."""
    thawed = not array.flags.writeable and _set_writeable(array)
    try:
        if thawed:
            # A view of its own keeps the flag after the array has lost it again.
            memory = memory.view()
            _set_writeable(memory)
        if array.dtype.char in "Mm":
            memory = memory.view("i8")
        elif array.dtype.names is not None and array.dtype.itemsize:
            memory = memory.view(f"V{array.dtype.itemsize}")
        return pickle.PickleBuffer(memory)
    finally:
        if thawed:
            array.flags.writeable = False


def _set_writeable(array: Any) -> bool:
    try:
        array.flags.writeable = True
    except ValueError:
        return False
    return True


def _as_objects(array: Any) -> Any:
    packed = _as_strings(array) if array.dtype == object and array.size >= _MIN_PACKED else None
    if packed is not None:
        return packed
    if array.flags.writeable:
        return NotImplemented
    make, arguments, state = array.__reduce__()[:3]
    return make, arguments, (state, False), None, None, set_object_array


def _as_strings(array: Any) -> Any:
    """One blob for an array that holds nothing but strings and a few None or nan; None when it holds anything else."""
    numpy = _numpy()
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    values = array.ravel(order=order).tolist()
    kinds = set(map(type, values))
    if str not in kinds or not kinds <= {str, type(None), float}:
        return None
    missing: Any = None
    stand_ins: tuple[Any, ...] = ()
    if len(kinds) > 1:
        places = [at for at, value in enumerate(values) if type(value) is not str]
        # One nan is as good as another, a number is not: `x != x` keeps the numbers out.
        if any(values[at] is not None and values[at] == values[at] for at in places):
            return None
        stand_ins = (None, float("nan"))
        missing = (numpy.array(places), numpy.array([0 if values[at] is None else 1 for at in places], dtype="i1"))
        for at in places:
            values[at] = ""
    blob = "\0".join(values)
    if blob.count("\0") != len(values) - 1:
        return None
    sample = values[:: max(1, len(values) // 1000)]
    repeated = len(set(map(id, sample))) * 2 < len(sample)
    buffer = pickle.PickleBuffer(blob.encode("utf-8", "surrogatepass"))
    return make_strings, (buffer, missing, stand_ins, array.shape, order, array.flags.writeable, repeated)


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _span(array: Any) -> tuple[int, int]:
    """The first byte that an array looks at and the one after its last."""
    start = end = _address(array)
    if array.size == 0:
        return start, end
    for length, stride in zip(array.shape, array.strides, strict=True):
        start += min(0, (length - 1) * stride)
        end += max(0, (length - 1) * stride)
    return start, end + array.dtype.itemsize
