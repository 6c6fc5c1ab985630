"""`python -m pipelines.main`: the job with the options of `meterbeam run`, as a plain Beam job."""

from pipelines.command import run

if __name__ == "__main__":
    run(prog_name="python -m pipelines.main")
