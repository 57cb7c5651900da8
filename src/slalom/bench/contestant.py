"""One contestant in a process of its own: `python -m slalom.bench.contestant JSON`.

It makes itself ready, says so, waits for a line, runs, and answers with one line of JSON: updates, seconds, loss, and
what it used. The line that starts it is what makes several processes run at the same time.
"""

import json
import os
import resource
import sys
from typing import Any

from slalom.bench.cases import Case


def ready(name: str, case: Case, given: dict[str, Any]) -> Any:
    """(run, about) of a contestant by its name."""
    if name == "slalom":
        from slalom.bench import ours

        return ours.contestant(case)
    if name.startswith("torch"):
        from slalom.bench import torch_rivals

        return (torch_rivals.loop if name == "torch_loop" else torch_rivals.population)(case, **given)
    if name == "scikit_learn":
        from slalom.bench import sklearn_rival

        return sklearn_rival.scikit_learn(case)
    from slalom.bench import jax_rival

    return jax_rival.matrix_product() if name == "matrix" else jax_rival.usual_jax(case)


def main(text: str) -> None:
    """The process."""
    asked = json.loads(text)
    if asked["core"] is not None and hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {mine[asked["core"] % len(mine)]})
    run, about = ready(asked["name"], Case(**asked["case"]), asked["given"])
    print("ready", flush=True)
    for _ in sys.stdin:  # a line each time that it is to run
        answer = run() | about
        answer["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
