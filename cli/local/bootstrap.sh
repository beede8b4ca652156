# Finds a Python that is new enough and hands over to bootstrap.py beside this file.
here=$(dirname -- "$0")
for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        # -I: neither PYTHONPATH nor the current directory may change what this imports.
        exec "$python" -I "$here/bootstrap.py" "$@"
    fi
done
echo "Daybook needs Python 3.11 or newer, as python3 in PATH." >&2
exit 1
