extension RecipeKey {
    /// The key that puts a search in the place of a schedule.
    public static let search = choice(
        "search", SearchKind.schedule.rawValue, among: SearchKind.allCases.map(\.rawValue),
        "how the step size is found: a schedule, or trials on the same batch; the keys of the schedule do not apply then")

    /// The keys of every search that tries steps.
    static func armijo(
        c: Double = 0.1, backtrack: Double = 0.9, initialStep: Double = 0.1, growth: Double = 2,
        growthPeriod: HyperparameterValue = "epoch"
    ) -> [RecipeKey] {
        [
            .real(
                "armijo_c", c, "share of the predicted decrease that a trial has to reach",
                expecting: "a number above 0 and below 1"
            ) { $0 > 0 && $0 < 1 },
            .real(
                "backtrack", backtrack, "factor on the step size after a trial that is not accepted",
                expecting: "a number above 0 and below 1"
            ) { $0 > 0 && $0 < 1 },
            .real("initial_step", initialStep, "step size before the first step", expecting: "a number above 0") { $0 > 0 },
            .real(
                "growth", growth, "growth of the step size over growth_period steps", expecting: "a number of at least 1"
            ) { $0 >= 1 },
            .growthPeriod(growthPeriod),
            .real("max_step", 10, "largest step size that is tried", expecting: "a number above 0") { $0 > 0 },
            .count("max_trials", 100, "trials a search makes at most", from: 1),
            .real(
                "rejection_shrink", 10, "where no trial is accepted the step size shrinks by backtrack to this power",
                expecting: "a number of at least 0"
            ) { $0 >= 0 },
            .real(
                "search_tolerance", 4, "rounding allowed in a decrease, in units in the last place of the float32 loss",
                expecting: "a number of at least 0"
            ) { $0 >= 0 },
            .flag(
                "momentum_after_acceptance", false,
                "try steps without momentum and apply them with it; the loss may then rise"),
        ]
    }

    /// The keys of a search with a step size for each unit.
    static let perUnit: [RecipeKey] = [
        RecipeKey(
            name: "units", defaultValue: "auto",
            explanation: "units with a step size each: auto (at most 10), blocks (one for each block), or their number",
            expectation: "auto, blocks, or a whole number of at least 1"
        ) { value in
            value == "auto" || value == "blocks" ? value : value.count(from: 1)
        },
        .choice(
            "unit_order", "cyclic", among: UnitOrder.allCases.map(\.rawValue),
            "the unit that a step searches: one after the other, drawn by past decrease, or all in every step"),
        .count("joint_steps", 6, "steps at the start that search one step size for all units", from: 0),
        .real(
            "merge_threshold", 0, "a unit with a smaller step size joins the one with the next smallest; 0 is off",
            expecting: "a number of at least 0"
        ) { $0 >= 0 },
        .choice(
            "whole_move", WholeMove.measure.rawValue, among: WholeMove.allCases.map(\.rawValue),
            "what is done with the move of all units: its loss is measured, or all step sizes shrink together until it satisfies the condition"),
    ]

    /// The keys of a search on running means.
    static func smoothed(smoothing: Double, longestInterval: Int) -> [RecipeKey] {
        [
            .real(
                "search_smoothing", smoothing, "memory of the means of decrease and slope that are compared",
                expecting: "a number of at least 0 and below 1"
            ) { (0..<1).contains($0) },
            .count(
                "max_search_interval", longestInterval,
                "steps between searches when the step size has settled; 1 searches in every step", from: 1),
            .count("always_search_steps", 10, "steps at the start that always search", from: 1),
            .memories("interval_betas", [0.9, 0.99], "memory of the fast and of the slow mean of the step size"),
        ]
    }

    /// Two memories, as `betas` are.
    static func memories(_ name: String, _ defaultValue: [Double], _ explanation: String) -> RecipeKey {
        RecipeKey(
            name: name, defaultValue: .list(defaultValue.map { .real($0) }), explanation: explanation,
            expectation: betas.expectation, canonical: betas.canonical)
    }

    private static func growthPeriod(_ defaultValue: HyperparameterValue) -> RecipeKey {
        RecipeKey(
            name: "growth_period", defaultValue: defaultValue,
            explanation: "steps over which the step size grows once: epoch, or their number",
            expectation: "epoch, or a whole number of at least 1"
        ) { value in
            value == "epoch" ? value : value.count(from: 1)
        }
    }

    /// Keys that only a schedule has: those of every scheduled row but the ones about layers.
    static let scheduleOnly = Set(common(learningRate: 1).map(\.name)).subtracting(["layer_decay", "freeze"])

    /// Keys of every row that does without a schedule.
    static let layers = common(learningRate: 1).filter { !scheduleOnly.contains($0.name) }
}
