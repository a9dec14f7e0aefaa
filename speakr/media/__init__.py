"""Looking into audio. Untrusted bytes are opened only by `child.py`, in a fenced process of its own.

sandbox.py     starts the child, bounds it, reads its report
fence.py       the system calls that the child may not make
containers.py  what we open, and what it is called outside
refusals.py    what we say of media that cannot be used
probe.py       what is this file?
decode.py      any format -> 16 kHz mono
extract.py     a video's sound without its picture
join.py        parts of several files as one new file; `child_join.py` does it
speech.py      the model that detects speech; spans.py turns its output into spans
chunks.py      cutting at pauses
"""
