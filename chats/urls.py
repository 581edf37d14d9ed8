"""Addresses of the chat's pages."""

from django.urls import path

from chats.views import account, actions, chat, finding, insight, sidebar, start

app_name = "chats"
urlpatterns = [
    path("", start.home, name="home"),
    path("chats", start.new, name="new"),
    path("chats/sidebar", sidebar.more_sessions, name="sidebar"),
    path("chats/archive", finding.put_away, name="archive_list"),
    path("chats/<uuid:session_id>", chat.show, name="session"),
    path("chats/<uuid:session_id>/menu", sidebar.menu, name="menu"),
    path("chats/<uuid:session_id>/ask", actions.ask, name="ask"),
    path("chats/<uuid:session_id>/stop", actions.stop, name="stop"),
    path("chats/<uuid:session_id>/rename", actions.rename, name="rename"),
    path("chats/<uuid:session_id>/pin", actions.pin, name="pin"),
    path("chats/<uuid:session_id>/archive", actions.archive, name="archive"),
    path("chats/<uuid:session_id>/delete", actions.delete, name="delete"),
    path("chats/<uuid:session_id>/restore", actions.restore, name="restore"),
    path("chats/<uuid:session_id>/branch", actions.branch, name="branch"),
    path("chats/<uuid:session_id>/messages/<uuid:message_id>", chat.message, name="message"),
    path("chats/<uuid:session_id>/messages/<uuid:message_id>/sources", chat.sources, name="sources"),
    path("chats/<uuid:session_id>/messages/<uuid:message_id>/edit", actions.edit, name="edit"),
    path("chats/<uuid:session_id>/messages/<uuid:message_id>/regenerate", actions.regenerate, name="regenerate"),
    path("chats/<uuid:session_id>/messages/<uuid:message_id>/feedback", actions.feedback, name="feedback"),
    path("courses/<uuid:course_id>/insight", insight.course, name="course-insight"),
    path("account", account.show, name="account"),
    path("account/tokens", account.make_token, name="make_token"),
    path("account/tokens/revoke", account.revoke_token, name="revoke_token"),
    path("account/export", account.export, name="account_export"),
    path("account/delete-chats", account.delete_chats, name="account_delete_chats"),
    path("account/delete", account.delete_account, name="account_delete"),
    path("account/theme", account.theme, name="account_theme"),
]
