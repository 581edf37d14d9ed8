"""Addresses of the tokens."""

from core.api.auth import SignInView, TokensView
from core.api.routes import both

urlpatterns = [
    *both("auth/token", SignInView.as_view({"post": "create"}), "sign-in"),
    *both("auth/tokens", TokensView.as_view({"get": "list", "post": "create"}), "tokens"),
    *both("auth/tokens/<str:token_key>", TokensView.as_view({"delete": "destroy"}), "token"),
    *both("auth/logout", TokensView.as_view({"post": "end_this"}), "log-out"),
    *both("auth/logout-all", TokensView.as_view({"post": "end_all"}), "log-out-everywhere"),
]
