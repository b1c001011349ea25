"""A reader process with behaviour: answers each job with its id; dies on a job whose kind is `die`.

It dies before it answers, always, or only once where the job names a file that is not there yet.
"""

import json
import os
import sys
from pathlib import Path

for line in sys.stdin:
    job = json.loads(line)
    if job["kind"] == "die":
        once = job.get("once")
        if once is None or not Path(once).exists():
            if once is not None:
                Path(once).touch()
            os._exit(9)
    if job["kind"] == "babble":
        print("no reading at all", flush=True)
    answer = {"id": job["id"], "value": "7", "confidence": 0.9, "accepted": True, "alternatives": [["1", 0.1]]}
    print(json.dumps({**answer, "reader": "fake/1", "reasons": []}), flush=True)
