"""The kinds of faults around running nodes."""
from node_fault_kinds import compressed, diagnostics, images, interfaces, process

FAULTS = {name: fault for part in (images, interfaces, compressed, process, diagnostics)
          for name, fault in part.FAULTS.items()}
"""Name to Fault, in the order of the table in docs/reliability.md."""
