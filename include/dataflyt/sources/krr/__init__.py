"""The source krr: KRR (Kontakt- og reservasjonsregisteret)."""
