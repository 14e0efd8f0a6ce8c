"""What Bindery costs, beside its rivals, measured in one run on one machine: `python -m tests.bench` (`make bench`).

- `index`, `pack`, `read`, `listing`, `door`, `serving`: one question each, `measure(bench) -> Answer`.
- `measure`: a program in a process of its own, and what it took; `server`: what passed over the wire, counted by nginx.
- `children`: what runs in those processes; `archives`, `objects`: what is measured on.
- `table`: how it is printed; `report`: how it becomes `docs/benchmarks.md`.

CPU time is user and system of a process and of all it started: it carries over to other machines, wall time does not.
"""
