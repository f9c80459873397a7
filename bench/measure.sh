#!/bin/bash
# Runs a command and writes to descriptor 3: seconds, exit code, peak memory in kB.
#
# Bash forks the command and then becomes python, whose RUSAGE_CHILDREN is that one child. So the peak is the command's:
# ru_maxrss begins with the memory of whoever forked it, and bash is small (about 4 MB, the least we can tell).
# Bash and python3 are on a fresh Debian; /usr/bin/time is not.
begin=$EPOCHREALTIME
"$@" 3>&-
code=$?
end=$EPOCHREALTIME
exec python3 -S -c '
import resource, sys
begin, end, code = sys.argv[1:]
print(float(end) - float(begin), code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
' "$begin" "$end" "$code" >&3
