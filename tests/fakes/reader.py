"""A reader process with behaviour: answers each job with its id.

On a job whose kind is `die` it dies before it answers, on `hang` it answers nothing any more: always, or only once
where the job names a file that is not there yet. On `slow` it takes its time. What it is started with is its
version, and how many seconds it takes to load.
"""

import json
import os
import sys
import time
from pathlib import Path

VERSION = sys.argv[1] if len(sys.argv) > 1 else "fake/1"

time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)


def is_time(job: dict[str, str]) -> bool:
    """Whether to misbehave now."""
    once = job.get("once")
    if once is None:
        return True
    if Path(once).exists():
        return False
    Path(once).touch()
    return True


for line in sys.stdin:
    job = json.loads(line)
    if job["kind"] == "die" and is_time(job):
        os._exit(9)
    if job["kind"] == "hang" and is_time(job):
        time.sleep(3600)
    if job["kind"] == "slow":
        time.sleep(0.005)
    if job["kind"] == "babble":
        print("no reading at all", flush=True)
    answer = {"id": job["id"], "value": "7", "confidence": 0.9, "accepted": True, "alternatives": [["1", 0.1]]}
    print(json.dumps({**answer, "reader": VERSION, "reasons": []}), flush=True)
