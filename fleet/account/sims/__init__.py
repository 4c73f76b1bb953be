"""SIMs and data plans: the operator's lists, requests and answers; what costs money for nothing."""
