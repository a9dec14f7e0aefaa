"""Jobs: the only place where a job's or a chunk's row changes its state.

Every change is a compare-and-set (`update ... where state = ... and fence = ...`), so each may be tried by
anybody at any time: one wins, the others learn that they have not.

requests.py   what users may ask: queue, look, cancel, retry
claims.py     what the one worker that owns a job says: claim, plan, report, finish, fail
chunks.py     what any worker says about a chunk it took
recovery.py   what is done when somebody died: requeue, quarantine, notify again
"""
