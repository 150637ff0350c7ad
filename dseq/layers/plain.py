"""Arguments of layers as plain data."""


def plain(value):
    """A constructor's argument as JSON-ready data."""
    if hasattr(value, "get_config"):
        return {
            "module": type(value).__module__.rpartition(".")[0],
            "class_name": type(value).__name__,
            "config": value.get_config(),
            "registered_name": None,
        }
    if isinstance(value, tuple):
        return list(value)
    if callable(value) and hasattr(value, "name"):
        return value.name
    return value
