"""The operator's commands: bin/dash and what stands behind each. What bin/run needs is in cli/local."""
