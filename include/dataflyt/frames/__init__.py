"""Tables as pandas frames, for notebooks and files: the golden record, plans, outcomes of checks, and figures of runs.

``read`` returns one as a DataFrame, and ``writing.write`` writes one to a file. ``tables`` says who may read what.
"""

from dataflyt.frames.reading import read as read
