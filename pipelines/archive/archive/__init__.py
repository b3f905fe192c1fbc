# SPDX-License-Identifier: MPL-2.0
"""Works through an archive of recordings on Ray: every recording by `recording-worker`, in a process of its own.

`limits`, `resume`, `rows`, `report` and `progress` are plain Python and need nothing; `listing` and `results` read and write
stores; `worker` runs the program; `driver` is the only module that knows Ray.
"""
