"""How accounts come about, and who else may vouch for a person."""

from typing import Any

import requests
import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.views import LoginView, signup
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.socialaccount.views import connections
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

log = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN)


class ProviderAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Whoever a provider of OIDC_PROVIDERS knows may come in: that is what the operator named it for."""
        return True


class SignIn(LoginView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "signup_open": settings.SIGNUP_OPEN}


def begin_at_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the browser to the provider; a provider that can't be asked gives a page that says so."""
    try:
        return openid_connect.login(request, provider_id)  # type: ignore[no-any-return]
    except requests.RequestException as error:
        log.warning("sign-in provider can't be asked", provider=provider_id, error=type(error).__name__)
        provider = get_adapter().get_provider(request, provider_id)
        return render_authentication_error(request, provider, exception=error)  # type: ignore[no-any-return]


# A form that leads to a provider ends in its pages, and browsers hold form-action against each redirect on the way.
# Which hosts those are only the provider knows.
leads_to_providers = csp_update({"form-action": ["https:", *settings.OIDC_ORIGINS]} if settings.OIDC_ORIGINS else {})

urlpatterns = [
    path("login/", leads_to_providers(SignIn.as_view()), name="account_login"),
    path("signup/", leads_to_providers(signup), name="account_signup"),
    path("oidc/<str:provider_id>/login/", begin_at_provider, name="openid_connect_login"),
    path("3rdparty/", leads_to_providers(connections), name="socialaccount_connections"),
]
