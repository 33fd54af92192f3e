"""Pinterest's closed lists: what an event may be called, and where it may come from."""

#: 15 stand in Pinterest's schema (5.23), all 22 in its developer documentation and its own tag template.
EVENT_NAMES = (
    "add_payment_info",
    "add_to_cart",
    "add_to_wishlist",
    "app_install",
    "app_open",
    "checkout",
    "contact",
    "custom",
    "customize_product",
    "find_location",
    "initiate_checkout",
    "lead",
    "page_visit",
    "schedule",
    "search",
    "signup",
    "start_trial",
    "submit_application",
    "subscribe",
    "view_category",
    "view_content",
    "watch_video",
)

#: `action_source` is a closed list.
ACTION_SOURCES = ("app_android", "app_ios", "web", "offline")
