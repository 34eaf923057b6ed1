"""Asking registers over HTTP: the client, pages that are landed, Maskinporten and Fiks."""
