import Tensors

/// What one step did.
public struct StepReport: Sendable, Hashable {
    /// Updates done, this one included.
    public let step: Int
    /// Loss at the weights before the step.
    public let loss: Double
    /// ‖g‖₂ over the trained tensors, before any clipping.
    public let gradientNorm: Double
    public let learningRate: Double
    /// Of the step's scaling by tensor; nil where the chain has none.
    public let trustRatios: TrustRatios?
    /// What a search that tries steps found; nil for a schedule.
    public let trials: TrialReport?
    /// The losses that it asked for, in their order.
    public let tried: [TriedStep]
}

/// A list of gradient transformations, which give the direction, and one line search, which gives the step size.
///
/// Owns the gradient and all moments, made up front. A chain of elementwise transformations passes over memory twice a
/// step: once to measure the gradient, once to do everything else.
public final class Optimizer {
    public let transformations: [any GradientTransformation]
    public let search: any LineSearch
    public let rates: UnitRates
    public private(set) var state: OptimizerState
    /// The gradient of the last step. A chain that measures in its middle leaves an intermediate direction here, unless
    /// its search tries steps.
    public let gradient: Parameters

    /// The direction d of the last step's trials, of the trained tensors; after `keepDirection` only.
    public private(set) var direction: Parameters?

    private var plan: UpdatePlan
    /// Plan without dormant rows, for a state that does not leave them alone.
    private let wholePlan: UpdatePlan
    /// What the steps since the last `settle` leave of dormant weights.
    private var keeps: [Float] = []
    private let parallel: Parallel
    private let shrinkage: Double
    /// Base addresses of all moments, and where those of each transformation begin.
    private let momentBases: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
    private let momentStarts: [Int]
    private let sums: UnsafeMutablePointer<Double>
    private let searchScalars: Range<Int>
    /// Only for a search that tries steps.
    private let trialWorkspace: TrialWorkspace?

    /// - Parameter dormant: rows whose gradient is zero in every step. They cost nothing where the chain only decays them; their
    ///   weights are then out of date between `settle`s.
    /// - Throws: `OptimizerError.nothingToTrain` when every tensor is frozen.
    public init(
        _ transformations: [any GradientTransformation], search: any LineSearch, layout: ParameterLayout,
        rates: UnitRates = UnitRates(), dormant: DormantRows? = nil, parallel: @escaping Parallel = serially
    ) throws {
        wholePlan = try UpdatePlan(layout: layout, rates: rates)
        // A chain that measures in its middle leaves directions in the gradient, of rows that a restored state may wake too.
        let onlyDecays = search.partition == nil && transformations.allSatisfy { !$0.readsWeights }
            && transformations.dropFirst().allSatisfy { $0.measures.isEmpty }
        plan = onlyDecays && dormant != nil ? try UpdatePlan(layout: layout, rates: rates, dormant: dormant) : wholePlan
        self.transformations = transformations
        self.search = search
        self.rates = rates
        self.parallel = parallel
        gradient = Parameters(layout: layout)
        shrinkage = transformations.reduce(0) { $0 + $1.shrinkage }

        var moments: [OptimizerState.Moment] = []
        var starts: [Int] = []
        for transformation in transformations {
            starts.append(moments.count)
            let prefix = type(of: transformation).name
            for name in transformation.moments {
                let name = "\(prefix).\(name)"
                precondition(!moments.contains { $0.name == name }, "two transformations own \(name)")
                moments.append(.init(name: name, values: Parameters(layout: plan.momentLayout)))
            }
        }
        momentStarts = starts
        momentBases = .allocate(capacity: max(1, moments.count))
        for (index, moment) in moments.enumerated() {
            (momentBases + index).initialize(to: moment.values.pointer)
        }
        sums = .allocate(capacity: 2 * plan.pieces.count)
        sums.initialize(repeating: 0, count: 2 * plan.pieces.count)

        let workspace = search.partition.map { [plan] in TrialWorkspace(plan: plan, partition: $0) }
        trialWorkspace = workspace
        let scalars =
            [StateScalar(name: OptimizerState.stepName, value: .integer(0))]
            + search.scalars(units: workspace?.units.count ?? 1)
        precondition(Set(scalars.map(\.name)).count == scalars.count, "two scalars of one name")
        searchScalars = 1..<scalars.count
        state = OptimizerState(moments: moments, scalars: scalars)
    }

    deinit {
        momentBases.deallocate()
        sums.deallocate()
    }

    /// The units of a search that tries steps, in the order of its step sizes; empty for a schedule.
    public var units: [[ParameterUnit]] { trialWorkspace?.units ?? [] }

    /// From now on leaves the direction of each step's trials in `direction`. Costs memory as large as the trained weights.
    /// Nothing for a schedule, whose steps are not tried.
    public func keepDirection() {
        if trialWorkspace != nil, direction == nil { direction = Parameters(layout: plan.momentLayout) }
    }

    /// Evaluates the objective, chooses direction and step size, and moves `objective.parameters`.
    ///
    /// - Throws: what the objective throws, and `OptimizerError` when loss or gradient is not finite. Weights and
    ///   state are then as they were.
    public func step(_ objective: any Objective) throws -> StepReport {
        let parameters = objective.parameters
        precondition(parameters.layout == gradient.layout, "the objective has another layout")
        let update = state.step + 1
        let loss = try objective.lossAndGradient(into: gradient)
        guard loss.isFinite else { throw OptimizerError.lossNotFinite(step: update, value: "\(loss)") }

        let pass = ChainPass(
            plan: plan, weights: parameters.pointer, direction: gradient.pointer, moments: momentBases,
            parallel: parallel)
        let asked = transformations.first?.measures ?? []
        let measurement = pass.measure(asked.union(.direction), after: [], sums: sums)
        if let tensor = measurement.direction.firstIndex(where: { !$0.isFinite }) {
            throw notFinite(tensor, step: update)
        }

        var scalars = Array(state.scalars[searchScalars])
        var trustRatios: TrustRatios?
        let trials = trialSteps(objective, measured: measurement, update: update)
        let descent = Descent(
            objective: objective, step: update - 1, loss: loss, gradientNorm: measurement.directionNorm,
            prepared: trials
        ) { [self] rate in
            trustRatios = move(pass, measured: measurement, update: update, learningRate: rate)
        }
        let report: SearchReport
        do { report = try search.advance(descent, scalars: &scalars) } catch {
            trials?.abandon()
            throw error
        }
        precondition(trials?.isOpen != true, "a search that begins trials finishes them")
        state.scalars.replaceSubrange(searchScalars, with: scalars)
        state.step = update
        return StepReport(
            step: update, loss: loss, gradientNorm: measurement.directionNorm, learningRate: report.learningRate,
            trustRatios: trials?.trustRatios ?? trustRatios, trials: report.trials, tried: trials?.tried ?? [])
    }

    /// Takes the place of a saved optimizer. See `OptimizerState.restore(scalars:layouts:read:)`.
    public func restore(
        scalars: [StateScalar], layouts: [String: ParameterLayout],
        read: (_ moment: String, _ values: Parameters) throws -> Void
    ) throws {
        try state.restore(scalars: scalars, layouts: layouts, read: read)
        wakeMovingRows()
    }

    /// Copies a state that is in memory, after comparing names and shapes.
    public func restore(from saved: OptimizerState) throws {
        try state.restore(from: saved)
        wakeMovingRows()
    }

    /// The elements that a gradient can have: what an objective has to clear.
    public var gradientElements: ElementRanges { ElementRanges(plan.liveElements(of: gradient.layout)) }

    /// Brings dormant weights up to date. Called before anything but the objective reads the weights.
    public func settle(_ parameters: Parameters) {
        ChainPass(plan: plan, weights: parameters.pointer, direction: gradient.pointer, moments: momentBases, parallel: parallel)
            .settle(keeps)
        keeps.removeAll(keepingCapacity: true)
    }

    /// A state from elsewhere may move rows that never have a gradient: then no row is dormant.
    private func wakeMovingRows() {
        keeps.removeAll(keepingCapacity: true)
        guard let dormant = plan.dormant else { return }
        let tensor = plan.tensors[dormant.tensor].entry
        for moment in state.moments {
            guard let entry = moment.values.layout[tensor.name] else { continue }
            let values = moment.values.pointer + entry.offset - tensor.offset
            for run in dormant.runs where run.contains(where: { values[$0] != 0 }) {
                plan = wholePlan
                return
            }
        }
    }

    /// Runs the chain, cut into passes before each transformation that measures.
    private func move(
        _ pass: ChainPass, measured first: Measurement, update: Int, learningRate: Double
    ) -> TrustRatios? {
        var measurement = first
        var trustRatios: TrustRatios?
        var operations: [ChainPass.Operation] = []
        for (index, transformation) in transformations.enumerated() {
            if index > 0, !transformation.measures.isEmpty {
                measurement = pass.measure(transformation.measures, after: operations, sums: sums)
                operations.removeAll(keepingCapacity: true)
            }
            let context = StepContext(update: update, measurement: measurement, isDecayed: plan.isDecayed)
            if let scaling = transformation as? any TrustRatioScaling { trustRatios = scaling.trustRatios(for: context) }
            if let operation = transformation.operation(for: context) {
                operations.append(.init(run: operation, moments: momentBases + momentStarts[index]))
            }
        }
        pass.move(operations, learningRate: learningRate, shrinkage: shrinkage)
        if let dormant = plan.dormant {
            keeps.append(pass.keep(tensor: dormant.tensor, learningRate: learningRate, shrinkage: shrinkage))
        }
        return trustRatios
    }

    private func trialSteps(_ objective: any Objective, measured: Measurement, update: Int) -> TrialSteps? {
        trialWorkspace.map { workspace in
            let steps = TrialSteps(
                objective: objective, update: update, transformations: transformations, momentStarts: momentStarts,
                gradientMeasurement: measured, workspace: workspace,
                pass: TrialPass(
                    plan: plan, weights: objective.parameters.pointer, gradient: gradient.pointer,
                    saved: workspace.saved.pointer, moments: momentBases, momentCount: state.moments.count,
                    parallel: parallel),
                sums: sums)
            steps.keptDirection = direction
            return steps
        }
    }

    private func notFinite(_ tensor: Int, step: Int) -> OptimizerError {
        let entry = plan.tensors[tensor].entry
        let values = gradient[entry]
        let element = values.firstIndex { !$0.isFinite } ?? values.endIndex
        // A sum without a non-finite element under it means that the gap behind the tensor was written to.
        let value = element < values.endIndex ? "\(values[element])" : "written past its end"
        return .gradientNotFinite(tensor: entry.name, element: element, value: value, step: step)
    }
}
