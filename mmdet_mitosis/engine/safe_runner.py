"""A runner that runs no code of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from mmengine.runner import Runner


class SafeRunner(Runner):
    """``Runner`` that leaves the config in a checkpoint alone.

    MMEngine's, when it resumes, executes that config, which is Python, to compare a setting that
    configs do not have any more. The arguments are those of ``mmengine.runner.Runner``.
    """

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = "cpu",
        strict: bool = False,
        revise_keys: list = [(r"^module.", "")],  # noqa: B006 (MMEngine's signature)
    ) -> dict:
        """Load a checkpoint, without its config.

        Args:
            filename: The file.
            map_location: As ``torch.load``.
            strict: Whether the weights must be exactly the model's.
            revise_keys: Patterns and replacements of the names of weights.

        Returns:
            The checkpoint.
        """
        checkpoint = super().load_checkpoint(filename, map_location, strict, revise_keys)
        checkpoint.get("meta", {}).pop("config", None)
        return checkpoint
