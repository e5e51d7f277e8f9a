"""Diagnostics values to diagnostic_msgs."""
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue


def statuses_to_message(statuses, stamp, hardware_id):
    """Return a DiagnosticArray of telemetry.status.Status values; stamp is a builtin_interfaces Time."""
    message = DiagnosticArray()
    message.header.stamp = stamp
    for status in statuses:
        message.status.append(DiagnosticStatus(
            name=status.name, level=bytes([status.level]), message=status.message, hardware_id=hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in status.values]))
    return message
