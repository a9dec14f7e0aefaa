"""Jobs: the only modules that change the state of a job or a chunk.

Every change is a compare-and-set (`update ... where state = ... and fence = ...`), so any process may try it at any
time: one succeeds, and the others see that they did not.

requests.py   requests of users: queue, read, cancel, retry
claims.py     changes by the worker that owns a job: claim, plan, report, finish, fail
chunks.py     changes by a worker that has claimed a chunk
recovery.py   changes after a process died: requeue, quarantine, notify again
"""
