import Tensors

extension RecipeKey {
    /// The keys that every optimizer on a schedule has.
    static func common(learningRate: Double) -> [RecipeKey] {
        [
            .real(
                "learning_rate", learningRate, "step size at the height of the schedule",
                expecting: "a number of at least 0"
            ) { $0 >= 0 },
            .choice("schedule", "linear", among: Schedule.names, "how the learning rate falls after the warm-up"),
            .warmup,
            .real(
                "max_grad_norm", 1, "gradients longer than this over all tensors are shortened to it; 0 is off",
                expecting: "a number of at least 0"
            ) { $0 >= 0 },
            .real(
                "layer_decay", 1, "factor on the learning rate for each layer away from the head",
                expecting: "a number above 0, at most 1"
            ) { $0 > 0 && $0 <= 1 },
            .freeze,
        ] + batchScaling
    }

    /// The keys that only the polynomial schedule has.
    public static let polynomial: [RecipeKey] = [
        .real("schedule_power", 1, "exponent of the polynomial schedule", expecting: "a number above 0") { $0 > 0 },
        .real(
            "schedule_end", 1e-7, "learning rate at the end of the polynomial schedule",
            expecting: "a number of at least 0, below learning_rate"
        ) { $0 >= 0 },
    ]

    static func weightDecay(_ defaultValue: Double, _ explanation: String) -> RecipeKey {
        .real("weight_decay", defaultValue, explanation, expecting: "a number of at least 0") { $0 >= 0 }
    }

    static func epsilon(
        _ defaultValue: Double, _ explanation: String = "added to the root of the second moment"
    ) -> RecipeKey {
        .real("epsilon", defaultValue, explanation, expecting: "a number of at least 1e-30") { $0 >= 1e-30 }
    }

    static let momentum = RecipeKey.real(
        "momentum", 0.9, "share of the last step that goes on", expecting: "a number of at least 0 and below 1"
    ) { (0..<1).contains($0) }

    static let betas = RecipeKey(
        name: "betas", defaultValue: [0.9, 0.999], explanation: "memory of the first and of the second moment",
        expectation: "two numbers of at least 0 and below 1, as in 0.9,0.999"
    ) { value in
        guard let numbers = value.list?.map(\.number), numbers.count == 2 else { return nil }
        let inside = numbers.compactMap { $0 }.filter { (0..<1).contains($0) }
        return inside.count == 2 ? .list(inside.map { .real($0) }) : nil
    }

    /// Below 1 a share of all steps (a real number), from 1 on a number of steps (an integer).
    static let warmup = RecipeKey(
        name: "warmup", defaultValue: 0.1,
        explanation: "rise of the learning rate from 0: below 1 a share of all steps, from 1 on a number of steps",
        expectation: "a share of at least 0 and below 1, or a whole number of steps"
    ) { value in
        guard let number = value.number, number >= 0 else { return nil }
        if number < 1 { return .real(number) }
        return Int(exactly: number).map { .integer($0) }
    }

    static let freeze = RecipeKey(
        name: "freeze", defaultValue: [],
        explanation: "parts that stay as they are: embeddings, head, block numbers from 0",
        expectation: "a list of embeddings, head, block numbers and ranges of them, as in embeddings,0-3"
    ) { value in
        guard let units = units(of: value) else { return nil }
        return .list(
            units.sorted().map { unit in
                if case .block(let index) = unit { .integer(index) } else { .text(unit.description) }
            })
    }

    /// The units that a value of `freeze` names; nil when a part of it is none.
    static func units(of value: HyperparameterValue) -> Set<ParameterUnit>? {
        var units: Set<ParameterUnit> = []
        for item in value.list ?? [value] {
            switch item {
            case .integer(let index) where index >= 0:
                units.insert(.block(index))
            case .text("embeddings"):
                units.insert(.embeddings)
            case .text("head"):
                units.insert(.head)
            case .text(let text):
                let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
                // No encoder is deeper, and a typing slip must not fill the memory.
                guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last, last < 10_000
                else { return nil }
                for index in first...last { units.insert(.block(index)) }
            default:
                return nil
            }
        }
        return units
    }
}
