"""Runs the demo and compares what it prints with examples/azure-llm-2023/demo-output.txt.

`python .ci/check_demo.py --write` writes that file anew.
"""

import difflib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "examples" / "azure-llm-2023" / "demo-output.txt"
# what each run has of its own
OWN = (
    (re.compile(r"/\S*meterbeam-demo-\w+"), "OUT"),
    (re.compile(r"(seconds|events/s)( +)[0-9,.]+"), r"\1 …"),
    (re.compile(re.escape(str(ROOT)) + "/"), ""),
    (re.compile(r" +$", re.MULTILINE), ""),
)


def main() -> int:
    """Give the exit code: 0 where the output is the golden one."""
    command = [ROOT / ".venv" / "bin" / "meterbeam", "demo"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    printed = done.stdout
    for pattern, text in OWN:
        printed = pattern.sub(text, printed)
    if sys.argv[1:] == ["--write"]:
        GOLDEN.write_text(printed)
        return 0
    difference = difflib.unified_diff(
        GOLDEN.read_text().splitlines(), printed.splitlines(), "golden", "printed", lineterm=""
    )
    text = "\n".join(difference)
    sys.stdout.write(f"{text}\n" if text else "the demo prints what it did before\n")
    return 1 if text else 0


if __name__ == "__main__":
    sys.exit(main())
