"""Run the main benchmarks at sizes that take minutes on two cores: ``python -m benchmarks``, or ``make bench``.

Each benchmark can also be run alone. Where there is an option ``--full``, it selects the sizes of
docs/appendix/benchmarks.md.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from benchmarks import (
    certificates,
    fig1_grid,
    htp_vs_omp,
    imp_path,
    linear_numbers,
    memory,
    neural_isometry,
    null_space,
    population_gram,
    recovery_rates,
    step_speed,
)


def main():
    """Print all tables."""
    print("## Recovery rates\n")
    with threadpool_limits(1):
        recovery_rates.main([])
    print("\n## Hard thresholding pursuit against orthogonal matching pursuit\n")
    htp_vs_omp.main([])
    print("\n## One gradient step\n")
    step_speed.main([])
    print("\n## Cells of Figure 1\n")
    fig1_grid.main(["--seeds", "1", "--widths", "1", "10", "100"])
    print("\n## The path of magnitude pruning\n")
    imp_path.main([])
    print("\n## Memory of a streamed step\n")
    memory.main([])
    print("\n## Numbers of pruning in linear models\n")
    with threadpool_limits(1):
        linear_numbers.main(["--trials", "500"])
    print("\n## Certificates of restricted eigenvalues\n")
    with threadpool_limits(1):
        certificates.main([])
    print("\n## The null-space constant\n")
    with threadpool_limits(1):
        null_space.main(["--draws", "4"])
    print("\n## Neural isometry and the convex programs\n")
    with threadpool_limits(1):
        neural_isometry.main(["--held", "30", "--trials", "10"])
    print("\n## The population Gram matrix of gates\n")
    with threadpool_limits(1):
        population_gram.main([])


if __name__ == "__main__":
    main()
