"""The Headwind agent (``com.hmdm.launcher``) as it runs on a virtual phone: written from its source (facts §3.5)."""
