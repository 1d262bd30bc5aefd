"""The settings of LUPoM's own providers and what is known of each: a module a provider.

They are found by name, as those of other packages are (`lupom.engine.project.providers`), and
import nothing of what asks the provider.
"""
