/** A cell that prints what every variable, file and setting of a session is, in words that do not depend on addresses or on the order of sets. */
export const DIGEST = `
import hashlib, json, types, warnings

def _nl_digest():
    import sys
    main = sys.modules["__main__"].__dict__

    def sha(data):
        return hashlib.sha256(data).hexdigest()[:16]

    def canon(value, depth=0, seen=()):
        if id(value) in seen or depth > 6:
            return "…"
        seen = (*seen, id(value))
        if isinstance(value, np.ndarray):
            return ["array", str(value.dtype), list(value.shape), sha(np.ascontiguousarray(value).tobytes()), value.flags.writeable]
        if isinstance(value, pd.DataFrame):
            return ["frame", {str(c): str(t) for c, t in value.dtypes.items()}, list(value.shape), sha(pd.util.hash_pandas_object(value).to_numpy().tobytes())]
        if isinstance(value, pd.Series):
            return ["series", str(value.dtype), sha(pd.util.hash_pandas_object(value).to_numpy().tobytes())]
        if isinstance(value, np.random.Generator):
            return ["rng", canon(value.bit_generator.state, depth + 1, seen)]
        if isinstance(value, types.GeneratorType):
            return ["generator", [next(value) for _ in range(3)]]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if getattr(value, "__module__", "__main__") != "__main__" and isinstance(value, (type, types.FunctionType)):
            return ["imported", value.__module__, value.__qualname__]
        if isinstance(value, type):
            own = {k: v for k, v in vars(value).items() if not k.startswith("__")}
            return ["class", value.__qualname__, {k: canon(v, depth + 1, seen) for k, v in sorted(own.items())}]
        if isinstance(value, types.FunctionType):
            cells = [canon(c.cell_contents, depth + 1, seen) for c in value.__closure__ or ()]
            return ["function", value.__qualname__, sha(value.__code__.co_code), cells, canon(value.__defaults__, depth + 1, seen)]
        if isinstance(value, (set, frozenset)):
            return ["set", sorted(map(repr, value))]
        if isinstance(value, dict):
            return {repr(k): canon(v, depth + 1, seen) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [canon(v, depth + 1, seen) for v in value]
        if hasattr(value, "predict"):
            return ["model", type(value).__name__, value.predict(np.array([[0.0], [3.0], [7.5]])).round(9).tolist()]
        if isinstance(value, (int, float, str, bool, type(None), np.generic)):
            return repr(value)
        if hasattr(value, "__dict__") and type(value).__module__ == "__main__":
            return ["object", type(value).__name__, canon(vars(value), depth + 1, seen)]
        return ["other", type(value).__module__ + "." + type(value).__qualname__]

    names = sorted(n for n in main if not n.startswith("_"))
    files = {}
    for folder, folders, found in os.walk("."):
        folders.sort()
        for name in sorted(found):
            path = os.path.join(folder, name)
            if "__pycache__" not in path and not os.path.islink(path):
                files[path] = sha(open(path, "rb").read())
    links = [[a, b] for i, a in enumerate(names) for b in names[i + 1:] if main[a] is main[b] and not isinstance(main[a], (int, float, str, bool, type(None), types.ModuleType, type))]
    shared = [[a, b] for i, a in enumerate(names) for b in names[i + 1:] if isinstance(main[a], np.ndarray) and isinstance(main[b], np.ndarray) and np.shares_memory(main[a], main[b])]
    settings = {"max_rows": pd.get_option("display.max_rows"), "err": np.geterr(), "env": os.environ.get("CHAOS"), "cwd": os.getcwd(), "filters": [[f[0], f[1].pattern] for f in warnings.filters if f[1] is not None and "chaos" in f[1].pattern]}
    state = {"random": sha(repr(random.getstate()).encode()), "numpy": sha(repr(np.random.get_state()).encode())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"names": {n: canon(main[n]) for n in names}, "files": files, "links": links, "shared": shared, "settings": settings, "random": state}

_nl_text = json.dumps(_nl_digest(), sort_keys=True)
# What follows may be too long to be shown whole.
print(hashlib.sha256(_nl_text.encode()).hexdigest())
print(_nl_text)
`.trimStart();
