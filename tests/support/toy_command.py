"""``paper-repro`` with an additional toy experiment: a program that tests start and kill."""

import sys

import toy_experiment

from paper_repro import cli, experiment

if __name__ == "__main__":
    experiment.register(toy_experiment.EXPERIMENT)
    sys.exit(cli.main(sys.argv[1:]))
