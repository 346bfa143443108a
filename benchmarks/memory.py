"""`python -m benchmarks.memory -m MODULE …` runs a module, then says its peak memory in KiB."""

import resource
import runpy
import sys

sys.argv = sys.argv[2:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
