"""Looking into audio. Untrusted bytes are opened only by `child.py`, in a fenced process of its own.

sandbox.py     starts the child, bounds it, reads its report
fence.py       the system calls that the child may not make
containers.py  what we open, and what it is called outside
refusals.py    what we say of media that cannot be used
probe.py       what is this file?
decode.py      any format -> 16 kHz; `child_decode.py` does it
channels.py    mixing and separating the channels of a track
same_sound.py  the same speech in two tracks or channels
extract.py     a video's sound without its picture; `child_remux.py` does it
join.py        parts of several files as one new file; `child_join.py` does it
speech.py      the model that detects speech; spans.py turns its output into spans
chunks.py      cutting at pauses
"""
