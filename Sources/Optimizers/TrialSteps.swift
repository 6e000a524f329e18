import Tensors

/// What a search tests before it moves.
public enum TestedDirection: Hashable, Sendable {
    /// d = −u, the chain's own direction with all momentum in it.
    case full
    /// d = −P⁻¹g, the chain without momentum. The momentum enters the applied step only, which then is not the tested one.
    case preconditionedGradient
}

/// Steps of one update that can be tried and taken back.
///
/// Order of use: one `begin` saves the weights and measures the slopes; then any number of `displace`, `loss` and
/// `restore`; then one `finish`, which advances the moments. Until then the gradient and the moments stay as they are, so that an
/// error in a trial leaves everything as it was before the step.
public final class TrialSteps {
    /// The parts of the network in each unit.
    public var units: [[ParameterUnit]] { workspace.units }
    public var unitCount: Int { workspace.units.count }
    /// −gᵀd of each unit for the direction that is tested, each tensor's own factor on the learning rate included.
    public private(set) var slopes: [Double] = []
    /// Of the chain's scaling by tensor; nil before `begin` and where there is none.
    private(set) var trustRatios: TrustRatios?
    /// Calls of `loss`.
    public var forwardPasses: Int { tried.count }
    /// What `loss` was called for.
    private(set) var tried: [TriedStep] = []
    /// Where `finish` leaves the direction that was tested; nil where nobody asks for it.
    var keptDirection: Parameters?

    private let objective: any Objective
    private let update: Int
    private let transformations: [any GradientTransformation]
    private let momentStarts: [Int]
    private let gradientMeasurement: Measurement
    private let workspace: TrialWorkspace
    private let pass: TrialPass
    private let sums: UnsafeMutablePointer<Double>

    private var tested = TestedDirection.full
    /// The operations of the whole chain, and those that always descend.
    private var operations: [[TrialPass.Operation]] = [[], []]
    /// Which of the two each unit is tested with.
    private var variants: [Int] = []
    /// η of each unit as the weights are now.
    private var displacements: [Double] = []
    /// Weights are saved, and may differ from those before the step.
    private(set) var isOpen = false

    init(
        objective: any Objective, update: Int, transformations: [any GradientTransformation], momentStarts: [Int],
        gradientMeasurement: Measurement, workspace: TrialWorkspace, pass: TrialPass,
        sums: UnsafeMutablePointer<Double>
    ) {
        self.objective = objective
        self.update = update
        self.transformations = transformations
        self.momentStarts = momentStarts
        self.gradientMeasurement = gradientMeasurement
        self.workspace = workspace
        self.pass = pass
        self.sums = sums
    }

    /// Saves the weights, prepares the chain and measures the slope of every unit.
    public func begin(testing direction: TestedDirection = .full) {
        precondition(!isOpen, "one begin a step")
        isOpen = true
        tested = direction
        pass.save()
        prepareChain()
        variants = Array(repeating: direction == .full ? 0 : 1, count: unitCount)
        slopes = Array(repeating: 0, count: unitCount)
        displacements = slopes
        measureSlopes(of: Set(0..<unitCount))
    }

    /// −gᵀd of some units together.
    public func slope(of units: [Int]) -> Double { units.reduce(0) { $0 + slopes[$1] } }

    /// Takes −P⁻¹g in place of a direction that does not descend over `units` together, and says whether it did.
    public func fallBack(whereAscending units: [Int]) -> Bool {
        // A slope that is not a number descends as little as one below zero.
        guard !(slope(of: units) > 0), tested == .full, transformations.contains(where: { !$0.alwaysDescends }) else {
            return false
        }
        for unit in units { variants[unit] = 1 }
        measureSlopes(of: Set(units))
        return true
    }

    /// Moves some units from the saved weights by their step sizes; others stay where they are.
    public func displace(_ units: [Int], by stepSizes: [Double]) {
        precondition(isOpen, "begin comes first")
        pass.displace(operations, choice(Set(units)), rates: rates(stepSizes).map { Float($0) })
        for unit in units { displacements[unit] = stepSizes[unit] }
    }

    /// The loss of the same batch at the weights as they are now.
    public func loss() throws -> Double {
        let loss = try objective.loss()
        tried.append(TriedStep(stepSizes: displacements, loss: loss))
        return loss
    }

    /// Brings some units back to the saved weights, bit for bit.
    public func restore(_ units: [Int]) {
        for unit in units { displacements[unit] = 0 }
        let units = Set(units)
        let unitOfTensor = workspace.unitOfTensor
        pass.restore { units.contains(unitOfTensor[$0]) }
    }

    /// Ends the step: decoupled weight decay on the weights as they are, and the moments advance.
    ///
    /// - Parameter stepSizes: η of each unit as it was applied, 0 for one that stays. With
    ///   `TestedDirection.preconditionedGradient` the weights are moved along the chain's full direction instead.
    public func finish(_ stepSizes: [Double]) {
        precondition(isOpen, "begin comes first")
        isOpen = false
        let shrinkage = transformations.reduce(0) { $0 + $1.shrinkage }
        let rates = rates(stepSizes)
        let keeps = zip(pass.plan.tensors, rates).map { tensor, rate in
            Float(1 - rate * (tensor.entry.role.isDecayed ? shrinkage : 0))
        }
        if let keptDirection {
            let factors = pass.plan.tensors.map { Float($0.multiplier) }
            pass.write(operations, choice(Set(0..<unitCount)), factors: factors, into: keptDirection.pointer)
        }
        let moves = tested == .preconditionedGradient
        if !moves, pass.momentCount == 0, keeps.allSatisfy({ $0 == 1 }) { return }
        pass.settle(operations[0], rates: moves ? rates.map { Float($0) } : nil, keeps: keeps)
    }

    /// After an error: the weights before the step.
    func abandon() {
        guard isOpen else { return }
        isOpen = false
        pass.restore { _ in true }
    }

    /// η·λ of each tensor.
    private func rates(_ stepSizes: [Double]) -> [Double] {
        pass.plan.tensors.indices.map { stepSizes[workspace.unitOfTensor[$0]] * pass.plan.tensors[$0].multiplier }
    }

    private func choice(_ units: Set<Int>) -> TrialPass.Choice {
        let unitOfTensor = workspace.unitOfTensor
        let variants = variants
        return { tensor in units.contains(unitOfTensor[tensor]) ? variants[unitOfTensor[tensor]] : nil }
    }

    private func measureSlopes(of units: Set<Int>) {
        let byTensor = pass.slopes(operations, choice(units), sums: sums)
        for unit in units { slopes[unit] = 0 }
        for (tensor, slope) in byTensor.enumerated() where units.contains(workspace.unitOfTensor[tensor]) {
            slopes[workspace.unitOfTensor[tensor]] += pass.plan.tensors[tensor].multiplier * slope
        }
    }

    private func prepareChain() {
        operations = [[], []]
        for (index, transformation) in transformations.enumerated() where transformation.isKeptBySearch {
            var measurement = gradientMeasurement
            if index > 0, !transformation.measures.isEmpty {
                measurement = pass.measure(transformation.measures, after: operations[0], sums: sums)
            }
            let context = StepContext(update: update, measurement: measurement, isDecayed: pass.plan.isDecayed)
            if let scaling = transformation as? any TrustRatioScaling { trustRatios = scaling.trustRatios(for: context) }
            let moment = momentStarts[index]
            if let run = transformation.operation(for: context) {
                operations[0].append(.init(run: run, firstMoment: moment))
            }
            if let run = transformation.descendingOperation(for: context) {
                operations[1].append(.init(run: run, firstMoment: moment))
            }
        }
    }
}

/// What trials need beyond a step without them: the units, and one copy of the trained weights.
struct TrialWorkspace {
    let units: [[ParameterUnit]]
    let unitOfTensor: [Int]
    let saved: Parameters

    init(plan: UpdatePlan, partition: UnitPartition) {
        let units = partition.units(of: plan.tensors.map(\.entry.unit))
        self.units = units
        unitOfTensor = plan.tensors.map { tensor in units.firstIndex { $0.contains(tensor.entry.unit) }! }
        saved = Parameters(layout: plan.momentLayout)
    }
}
