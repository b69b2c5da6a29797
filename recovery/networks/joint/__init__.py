"""Networks with several outputs or several hidden layers, fitted with all their weights at once."""
