"""The further inputs by name: one row an input, from which columns, arguments and options all come."""

from __future__ import annotations

from bayescale.errors import unknown
from bayescale.given.given import Given

# Stands for a value that is not said where every value in range says something: far below any, and its log a number.
_UNSAID = 1e-30

GIVEN: dict[str, Given] = {
    given.name: given
    for given in (
        Given(
            "unique_tokens",
            "tokens of data that differ",
            # More than anybody will ever train on, and its exponential is still a number.
            usual=1e10,
            missing=1e30,
            said="data taken as unlimited, none repeated",
            pivot="tokens",
            aliases=("n_unique_tokens", "tokens_unique", "d_unique", "unique_data"),
        ),
        Given(
            "experts",
            "experts of a routed layer",
            usual=16.0,
            missing=1.0,
            said="taken as dense",
            aliases=("n_experts", "num_experts", "number_of_experts"),
        ),
        *(
            Given(
                f"{dimension}_multiple",
                f"{dimension} of a network over that of its base",
                missing=1.0,
                said=f"{dimension} taken to be of the best mix at its FLOP",
                lowest=0.01,
                highest=1e4,
                count=False,
                aliases=(f"{dimension}_mult", f"{dimension}_multiplier"),
            )
            for dimension in ("depth", "width", "resolution")
        ),
        *(
            Given(
                f"{short}_bits",
                f"bits of {said}",
                usual=8.0,
                # More than any number has, and its powers are still numbers.
                missing=1e6,
                said=f"{said} taken as exact",
                highest=64.0,
                count=False,
                aliases=aliases,
            )
            for short, said, aliases in (
                ("weight", "weights in training", ("w_bits", "bits_weights", "p_w")),
                ("activation", "activations in training", ("a_bits", "bits_activations", "p_a")),
                ("cache", "keys and values in training", ("kv_bits", "bits_kv", "p_kv")),
                ("post", "weights after training", ("ptq_bits", "bits_after_training", "p_post")),
            )
        ),
        *(
            Given(
                f"share_{domain}",
                f"share of domain {domain} in the training data",
                usual=0.2,
                missing=None,
                said="",
                lowest=0.0,
                highest=1.0,
                linear=True,
                count=False,
                aliases=(f"r_{domain}", f"proportion_{domain}"),
            )
            for domain in range(1, 9)
        ),
        Given(
            "quality",
            "quality of the training data, over that of the usual ones",
            usual=1.0,
            missing=1.0,
            said="data taken as of the usual quality",
            lowest=1e-6,
            highest=1e6,
            count=False,
            aliases=("data_quality",),
        ),
        Given(
            "vocabulary",
            "entries of the vocabulary",
            # Fewer than any: what it stands for is that nothing is said, and the vocabulary the best one.
            usual=32_000.0,
            missing=1e-30,
            said="vocabulary taken as the best one",
            pivot="own",
            aliases=("vocab_size", "vocabulary_size", "n_vocab"),
        ),
        Given(
            "vocabulary_params",
            "parameters of embeddings",
            usual=5e7,
            missing=None,
            said="",
            pivot="params",
            aliases=("params_vocab", "params_embedding", "embedding_params"),
        ),
        Given(
            "aspect_ratio",
            "width over depth",
            usual=64.0,
            missing=1e-30,
            said="shape taken as the best one",
            pivot="own",
            lowest=1e-3,
            highest=1e6,
            count=False,
            aliases=("aspect", "width_over_depth"),
        ),
        Given(
            "active_share",
            "share of the parameters that a token sees",
            usual=0.2,
            missing=1.0,
            said="all parameters taken as active",
            lowest=1e-6,
            highest=1.0,
            count=False,
            aliases=("active_fraction", "fraction_active"),
        ),
        Given(
            "granularity",
            "pieces that an expert of the usual size is cut into",
            usual=4.0,
            missing=1.0,
            said="experts taken as of the usual size",
            highest=1e6,
            count=False,
        ),
        Given(
            "teacher_loss",
            "loss of the teacher",
            usual=2.4,
            missing=None,
            said="",
            lowest=1e-6,
            highest=1e3,
            count=False,
            aliases=("loss_teacher",),
        ),
        Given(
            "student_loss",
            "loss that a student would reach without its teacher",
            usual=2.7,
            missing=None,
            said="",
            lowest=1e-6,
            highest=1e3,
            count=False,
            aliases=("loss_supervised", "supervised_loss"),
        ),
        Given(
            "learning_rate",
            "peak learning rate",
            usual=1e-3,
            missing=_UNSAID,
            said="taken as tuned",
            pivot="own",
            lowest=1e-9,
            highest=100.0,
            count=False,
            aliases=("lr", "peak_lr", "max_lr", "peak_learning_rate", "max_learning_rate"),
        ),
        Given(
            "batch_size",
            "tokens in a batch",
            usual=5e5,
            missing=_UNSAID,
            said="taken as tuned",
            pivot="own",
            aliases=(
                "batch_tokens",
                "batch_size_tokens",
                "tokens_per_batch",
                "global_batch_tokens",
            ),
        ),
        Given(
            "mean_rate",
            "mean of the learning rate over the run, over its peak",
            usual=0.6,
            missing=1.0,
            said="learning rate taken as held at its peak",
            lowest=1e-6,
            highest=1.0,
            count=False,
        ),
        Given(
            "end_rate",
            "smoothed learning rate at the end of the run, over its peak",
            usual=0.1,
            missing=_UNSAID,
            said="learning rate taken as annealed to zero at the end",
            lowest=1e-9,
            highest=1.0,
            count=False,
        ),
        Given(
            "optimizer_steps",
            "optimizer steps",
            # So many that any power of them is exactly nothing beside one.
            usual=1e5,
            missing=1e300,
            said="taken as enough that their number does not matter",
            pivot="own",
            aliases=("n_updates", "num_updates", "updates", "parameter_updates"),
        ),
        Given(
            "pretrained",
            "1 for a network that was pre-trained, 0 for one trained from scratch",
            usual=1.0,
            missing=0.0,
            said="taken as trained from scratch",
            lowest=0.0,
            highest=1.0,
            linear=True,
            count=False,
            aliases=("is_pretrained", "fine_tuned", "finetuned"),
        ),
    )
}


def get_given(name: str, where: str = "") -> Given:
    """Look a further input up by name; the error proposes the nearest one."""
    if name not in GIVEN:
        raise unknown("input", name, GIVEN, where)
    return GIVEN[name]
