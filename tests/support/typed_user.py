"""User code for type checkers, which must report an error on the lines marked wrong, and on no others."""

import linear_lottery
import planted
import recovery

X, y, w = planted.linear_model(50, 20, 3, signs="random", rng=0)
result = recovery.solve(X, y, sparsity=3, solver="htp")
path = linear_lottery.imp(X, y, sparsity=3, schedule="one-shot")
network = planted.sparse_network(20, 2, 5, signs="mixed", rng=0)
fit = recovery.fit_network(X, network(X), n_neurons=2, sparsity=5)
print(result.support, path.support, path.message, fit.psnr_db, planted.__version__)
planted.linear_model(50, 20, 3, signs="positiv")  # wrong
linear_lottery.imp(X, y, sparsity=3, schedule="one-by-two")  # wrong
recovery.slove(X, y, 3)  # wrong
print(path.suport)  # wrong
