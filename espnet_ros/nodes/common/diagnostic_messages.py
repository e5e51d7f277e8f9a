"""Status values to and from diagnostic_msgs."""
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from espnet_ros.diagnostics.status import ERROR, WARN, Status


def statuses_to_message(statuses, stamp, hardware_id):
    """Return a DiagnosticArray of diagnostics.status.Status values; stamp is a builtin_interfaces Time."""
    message = DiagnosticArray()
    message.header.stamp = stamp
    for status in statuses:
        message.status.append(DiagnosticStatus(
            name=status.name, level=bytes([status.level]), message=status.message, hardware_id=hardware_id,
            values=[KeyValue(key=key, value=value) for key, value in status.values]))
    return message


def message_to_statuses(message):
    """Return a DiagnosticArray's Status values."""
    return [Status(status.name, status.level[0], status.message,
                   tuple((pair.key, pair.value) for pair in status.values)) for status in message.status]


def log_levels(node, news, prefix):
    """Log what LevelLog.update returned, without the `prefix` that all names of a node share."""
    for level, text in news:
        logger = node.get_logger()
        # rclpy wants each severity called from a line of its own.
        text = text[len(prefix):] if text.startswith(prefix) else text
        if level == ERROR:
            logger.error(text)
        elif level == WARN:
            logger.warning(text)
        else:
            logger.info(text)
