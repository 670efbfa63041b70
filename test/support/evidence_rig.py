"""Judges evidence bundles by verify/verify_evidence.py, one JSON line in and one out, so that a test can have many of them judged
by one process.

Of many bundles that differ in one line all other lines are the same, so the functions that depend on nothing but their arguments
are remembered from one bundle to the next. They are wrapped here, from outside: the verifier itself knows nothing of it.
"""

import functools
import importlib.util
import json
import sys

PURE = ("parse_line", "leaf_hash", "node_hash", "parse_object", "verify_signature")
REMEMBERED = 100_000


def load(path):
    specification = importlib.util.spec_from_file_location("verify_evidence", path)
    verifier = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(verifier)
    return verifier


def main(path, remember):
    verifier = load(path)
    if remember == "remember":
        for name in PURE:
            setattr(verifier, name, functools.lru_cache(maxsize=REMEMBERED)(getattr(verifier, name)))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            exit_code, detail = verifier.verify(
                asked["directory"], asked["keys"], asked["checkpoints"], asked["acceptRestored"])
        except Exception as error:  # Whatever it is, the test must hear of it rather than wait.
            exit_code, detail = 1, ascii(error)
        print(json.dumps({"exitCode": exit_code, "detail": detail}), flush=True)


main(*sys.argv[1:])
