"""Publishers, subscriptions and topic names on every ROS 2 distribution and middleware."""
import difflib

from rclpy.expand_topic_name import expand_topic_name

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # before Iron
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks, UnsupportedEventTypeError


def create_publisher(node, kind, topic, qos, on_incompatible):
    """Return a publisher; on_incompatible() is called when a subscription requests more than `qos` offers."""
    def create(**options):
        return node.create_publisher(kind, topic, qos, **options)
    return _with_event(create, PublisherEventCallbacks, on_incompatible)


def create_subscription(node, kind, topic, callback, qos, on_incompatible):
    """Return a subscription; on_incompatible() is called when a publisher offers less than `qos` requests."""
    def create(**options):
        return node.create_subscription(kind, topic, callback, qos, **options)
    return _with_event(create, SubscriptionEventCallbacks, on_incompatible)


def expand(node, topic):
    """Return the full name of a topic, without remappings."""
    return expand_topic_name(topic, node.get_name(), node.get_namespace())


def resolve(node, topic):
    """Return the full name of a topic, with remappings."""
    if hasattr(node, 'resolve_topic_name'):
        return node.resolve_topic_name(topic)
    from rclpy.impl.implementation_singleton import rclpy_implementation  # Foxy
    with node.handle as capsule:
        return rclpy_implementation.rclpy_remap_topic_name(capsule, expand(node, topic))


def similar_topics(node, topic, kind):
    """Return up to 2 topics of other nodes with a message type such as 'sensor_msgs/msg/Image', the likeliest first."""
    own = node.get_fully_qualified_name() + '/'
    found = [name for name, kinds in node.get_topic_names_and_types()
             if kind in kinds and name != topic and not name.startswith(own) and node.count_publishers(name)]
    return difflib.get_close_matches(topic, found, 2, 0.6)


def _with_event(create, events, on_incompatible):
    try:
        return create(event_callbacks=events(incompatible_qos=lambda _event: on_incompatible()))
    except UnsupportedEventTypeError:
        return create()  # this middleware has no such event
