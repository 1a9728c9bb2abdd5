# Sourced by the recipes and by tests/run.sh: a Python environment with vqspeech in it.
#
# vqspeech_environment EXTRAS: activate .venv in the repository, making it first if need be, and
# install the package with these extras when pyproject.toml or the extras have changed since.
# An environment that is active already is used as it is; PYTHON chooses the interpreter.
# VQSPEECH_ENVIRONMENT=ready: install nothing, `python` of the PATH has everything (containers).

vqspeech_environment() {
  local extras="$1" extra root stamp want
  [ "${VQSPEECH_ENVIRONMENT:-}" != ready ] || return 0
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
  if [ -z "${VIRTUAL_ENV:-}" ]; then
    if [ ! -x "$root/.venv/bin/python" ]; then
      echo "vqspeech: making an environment in $root/.venv" >&2
      "${PYTHON:-python3}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "vqspeech: error: Python 3.11 or newer is needed; set PYTHON to one" >&2
        return 2
      }
      "${PYTHON:-python3}" -m venv "$root/.venv"
    fi
    # shellcheck disable=SC1091
    source "$root/.venv/bin/activate"
  fi
  stamp="$VIRTUAL_ENV/.vqspeech-installed" # one line an extra, each with what it was made from
  want="$root $(cksum < "$root/pyproject.toml")"
  for extra in none ${extras//,/ }; do
    if ! grep -qxF "$extra $want" "$stamp" 2>/dev/null; then
      echo "vqspeech: installing (extras: ${extras:-none}); the first time takes some minutes" >&2
      python -m pip install --quiet --disable-pip-version-check --editable \
        "$root${extras:+[$extras]}"
      for extra in none ${extras//,/ }; do echo "$extra $want"; done >> "$stamp"
      break
    fi
  done
}
