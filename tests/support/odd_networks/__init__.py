"""Networks with unusual gates, which report their own multiplications."""
