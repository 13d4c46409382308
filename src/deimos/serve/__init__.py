"""Serving: requests over HTTP, each answered in the thinking mode that the evidence favours.

An app answers for a model on this machine, a middleware or a forwarder stands before any other
OpenAI-compatible server. What a gateway does (users, quotas, many servers, TLS) is not here.
"""
