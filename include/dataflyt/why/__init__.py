"""Why something is as it is: checks along the flow, explanations, and who corrects what."""
