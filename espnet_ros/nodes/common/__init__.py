"""What every node uses: parameters, lifecycle, messages, endpoints, process."""
