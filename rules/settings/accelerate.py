"""What Accelerate takes from its configuration file."""

from __future__ import annotations

from fp8check.rules.settings.values import Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fp8check.rules.settings.values import Setting


class AccelerateConfig:
    """An Accelerate configuration, as its loader sees it.

    `malformed` is the Python type of a file that holds no mapping ("NoneType", "list"); else None.
    """

    __slots__ = ("malformed", "path", "top")

    def __init__(self, top: Section, path: str | None = None, malformed: str | None = None) -> None:
        self.malformed = malformed
        self.top = top
        self.path = path

    @property
    def mixed_precision(self) -> Setting | None:
        """The precision that the file names; None where the key is absent or null."""
        setting = self.top.get("mixed_precision")
        return None if setting is None or setting.value is None else setting

    @property
    def fp8(self) -> Section:
        """fp8_config; empty where it is absent or null."""
        return self.top.section("fp8_config")

    @property
    def fsdp(self) -> Section:
        """fsdp_config."""
        return self.top.section("fsdp_config")

    @property
    def deepspeed(self) -> Section:
        """deepspeed_config."""
        return self.top.section("deepspeed_config")

    @property
    def distributed_type(self) -> Setting | None:
        """NO, MULTI_GPU, FSDP, DEEPSPEED, ...; False where the file has an unquoted NO."""
        return self.top.get("distributed_type")

    @property
    def is_sagemaker(self) -> bool:
        """Whether the file is for Amazon SageMaker, where the launcher does something else altogether."""
        return self.top.value("compute_environment") == "AMAZON_SAGEMAKER"

    def wants_fp8(self) -> bool:
        """Whether the file asks for FP8 precision."""
        setting = self.mixed_precision
        return setting is not None and str(setting.value).lower() == "fp8"
